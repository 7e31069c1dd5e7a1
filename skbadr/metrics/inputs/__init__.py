"""What metrics take, checked and encoded: users' columns and the responses of models."""
