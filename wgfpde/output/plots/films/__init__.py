"""Films of a run: `animation.movie` writes the file, `movie_frames` makes its frames, `level_lines` the lines of V."""
