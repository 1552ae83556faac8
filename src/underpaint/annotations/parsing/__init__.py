"""What the readers of several annotation formats share: JSON fields, tables, XML, and how a file is recognised."""
