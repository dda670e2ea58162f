"""The cluster's life cycle on the controller: `python -m ops up|down|status`."""
