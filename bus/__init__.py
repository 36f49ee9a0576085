"""The wire: envelope, message types, endpoints, request-reply and the event hub."""
