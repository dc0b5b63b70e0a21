"""An rsync daemon as a source."""
