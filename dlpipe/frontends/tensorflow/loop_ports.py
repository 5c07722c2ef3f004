"""What a loop carries, in one order: tf2onnx lists the states of a loop in the order of a set, other on every run.

Before:  Loop(states = (w, i, s)) { w, i, s = w', i + 1, cell(s) } -> (_, _, last)         `last` is read, w is not
After:   Loop(states = (s)) { s = cell(s) } -> (last)
"""

from .onnx_graph import OnnxGraph, OnnxNode, order_of_need, ordered_reads, prune, rename_tensors, replace, subgraphs

_LOOPS = frozenset({"Loop", "Scan"})


def arrange(graph: OnnxGraph) -> None:
    """Put states and results of all loops into the order in which they are needed, and drop those that never are.

    The order is that of the readers, so the last loop is first: its own inputs say how those before it are read.
    """
    done: set[int] = set()
    while True:
        order = order_of_need(graph)
        left = [index for index in order if graph.node[index].op_type in _LOOPS and index not in done]
        if not left:
            break
        done.add(left[-1])
        reads = [name for index in order for name in ordered_reads(graph.node[index])]
        _arrange(graph.node[left[-1]], dict.fromkeys([*(output.name for output in graph.output), *reads]))
    _number_results(graph)
    for node in graph.node:
        for body in subgraphs(node):
            arrange(body)
    prune(graph)


def _number_results(graph: OnnxGraph) -> None:
    """`Scan:0` is the first result, as everywhere in TensorFlow; those that leave the graph keep their names."""
    kept = {output.name for output in graph.output}
    loops = [node for node in graph.node if node.op_type in _LOOPS]
    numbered = [(name, f"{node.name}:{port}") for node in loops for port, name in enumerate(node.output)]
    rename_tensors(graph, {old: new for old, new in numbered if old not in kept})


def _arrange(node: OnnxNode, read: dict[str, None]) -> None:
    """`read`: what is read in the graph around the loop, in order. Ports count from the first state on."""
    body = next(subgraphs(node))
    first, lead = (2, 1) if node.op_type == "Loop" else (0, 0)  # trip count and condition; the condition returned
    lists = {attribute.name: attribute for attribute in node.attribute}
    states = len(node.input) - first - (lists["num_scan_inputs"].i if "num_scan_inputs" in lists else 0)
    given = {value.name: port for port, value in enumerate(body.input[first:])}
    returned = [value.name for value in body.output]
    port_of = {name: port for port, name in enumerate(node.output) if name}
    results = dict.fromkeys(port_of[name] for name in read if name in port_of)
    slices: dict[int, None] = {}
    roots = [*returned[:lead], *(returned[lead + port] for port in results)]
    for root in roots:  # grows: what a state is at the next step is needed, too
        order = order_of_need(body, [root])
        for name in [*(name for index in order for name in ordered_reads(body.node[index])), root]:
            port = given.get(name)
            if port is not None and port >= states:
                slices[port] = None
            elif port is not None and port not in results:
                results[port] = None
                roots.append(returned[lead + port])
    slices.update(dict.fromkeys(range(states, len(given))))  # unread, but a Scan is as long as they are
    kept, rows = [port for port in results if port < states], [port for port in results if port >= states]
    taken = [*range(first), *(first + port for port in [*kept, *slices])]
    node.input[:] = [node.input[index] for index in taken]
    replace(body.input, [body.input[index] for index in taken])
    node.output[:] = [node.output[port] for port in [*kept, *rows]]
    replace(body.output, [*body.output[:lead], *(body.output[lead + port] for port in [*kept, *rows])])
    for name, attribute in lists.items():
        if name.startswith("scan_"):  # scan_input_axes and the like: a number for each
            ports = slices if name.startswith("scan_input") else rows
            attribute.ints[:] = [attribute.ints[port - states] for port in ports]
    prune(body)
