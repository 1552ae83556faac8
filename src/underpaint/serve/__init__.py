"""Floor 6 and a half: the local server of the page. Neither it nor what it imports needs torch."""
