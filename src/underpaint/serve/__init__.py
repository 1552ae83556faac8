"""Between layers 6 and 7: the local server of the painting page. Neither it nor its imports need torch."""
