"""Code that several annotation formats use: JSON fields, tables, XML, and the recognition of files."""
