"""The five services and the movies library that they share."""
