"""What pacserve costs, measured against nginx in the same run."""
