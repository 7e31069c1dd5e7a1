"""What differentiable stand-ins of metrics are made of, and how sharp they are."""
