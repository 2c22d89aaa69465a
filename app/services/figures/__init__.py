"""The engine of figures: definitions come by the manifests of the capabilities.

The room is kept: nothing stands in it yet.
"""
