"""What the files of a model in Hugging Face's layout say."""
