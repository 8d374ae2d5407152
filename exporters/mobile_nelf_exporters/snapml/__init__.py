"""What SnapML, which runs models inside Snapchat, makes of a graph."""
