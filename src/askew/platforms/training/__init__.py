"""What training and validation recorded: MLflow models, trainers' configurations, model cards, runs of trackers."""
