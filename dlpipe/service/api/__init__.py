"""The routes. `app.py` puts them together; each names the scope it wants (`access.py`), and a test asks every one of
them with every role."""
