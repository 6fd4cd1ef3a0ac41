"""Requests that ask a served model to do its work, sent only when somebody asks for it."""
