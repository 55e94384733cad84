"""The miniature world: everything a whole run needs, made on the spot."""
