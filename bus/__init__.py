"""The wire: envelope, message types, words, endpoints, requests and answers, and the event hub."""
