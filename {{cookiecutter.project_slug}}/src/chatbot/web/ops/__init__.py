"""For whoever runs the service: health, figures, version."""
