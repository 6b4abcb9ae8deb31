"""The spectrum of the discrete Fokker–Planck operator."""
