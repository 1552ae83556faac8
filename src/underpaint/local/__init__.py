"""Small models of one photograph, fitted on its own hints."""
