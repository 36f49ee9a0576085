"""What is durable: the SQLite database, its rows, and the state made from them."""
