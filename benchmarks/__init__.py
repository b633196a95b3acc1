"""Treadle beside the peer, measured on this machine; see README.md."""
