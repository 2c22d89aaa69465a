"""Speed, measured as ratios in one run: a floor below Hội Số, a peer beside it."""
