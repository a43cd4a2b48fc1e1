"""kopf's side: what it watches is handed on. With __main__ the only room that knows kopf."""
