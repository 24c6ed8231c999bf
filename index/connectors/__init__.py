"""Where documents come from: a module for each kind of source, behind the one interface in `connector`.

A connector lists and reads; it writes no table, embeds nothing and knows no job. `locations` tells what a person meant,
`registry` opens the connector of a source. To add a kind: write its module, and name it in these two.
"""
