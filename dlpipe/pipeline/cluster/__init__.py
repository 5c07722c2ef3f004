"""Stages on the nodes of a Ray cluster: what a stage needs of a node (`needs`), what travels there (`task`), what is
done there (`node`), and who waits for it here (`cluster`). Nothing but `connection` imports Ray."""
