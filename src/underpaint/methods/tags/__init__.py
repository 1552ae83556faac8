"""What the methods for tags share (cam, rrm, sc-cam): scores from response maps, and their refinement. Not a method."""
