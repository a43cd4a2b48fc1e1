"""What tests of the dashboard share: bodies of objects in every state, and the server with them in it."""
