"""The engine of figures, whose definitions come by the manifests (empty so far)."""
