"""Photos or a video to a scene: poses by structure from motion, checks, undistorted images."""
