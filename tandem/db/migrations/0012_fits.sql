-- A fit knows the range of what it was fitted to, and what lies beyond counts as its end: without that, a feature that had
-- hardly varied decided alone. Fits that do not know theirs go; the next night makes one of the grades, which are kept.
DELETE FROM router_fits WHERE models->'grounded'->'lows' IS NULL;
