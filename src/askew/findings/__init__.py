"""What the siblings above share: findings, sides, remedies."""
