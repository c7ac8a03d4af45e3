"""Developer commands of this project; nothing of the product is in here."""
