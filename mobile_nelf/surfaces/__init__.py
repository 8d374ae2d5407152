"""What other programs open of a teacher: its surface as a mesh, as points, as splats."""
