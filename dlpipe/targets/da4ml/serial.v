// The circuit behind two byte-wide ports, for devices with fewer pins than it has bits.
// in_byte is taken on every edge with in_valid, lowest byte of the first word first; after `IN_BYTES bytes the circuit
// computes, out_valid rises after `LATENCY further edges, and every edge with out_next moves the answer on by a byte.
`timescale 1 ns / 1 ps

module network_serial (
    input clk,
    input in_valid,
    input [7:0] in_byte,
    input out_next,
    output [7:0] out_byte,
    output reg out_valid
);
    reg [`IN_BYTES*8-1:0] given = 0;
    reg [15:0] count = 0;
    reg [`FLIGHT:0] flight = 0;  // an edge to take the bytes, and those of the circuit
    reg [`OUT_BYTES*8-1:0] answer = 0;
    wire [`OUT_BITS-1:0] found;
    wire last = in_valid && count == `IN_BYTES - 1;

    initial out_valid = 0;
    assign out_byte = answer[7:0];

    network_wrapper network (.clk(clk), .model_inp(given[`IN_BITS-1:0]), .model_out(found));

    always @(posedge clk) begin
        flight <= {flight[`FLIGHT-1:0], last};
        if (in_valid) begin
            given <= {in_byte, given[`IN_BYTES*8-1:8]};
            count <= last ? 0 : count + 1;
            out_valid <= 0;
        end
        if (flight[`FLIGHT]) begin
            answer <= found;
            out_valid <= 1;
        end else if (out_next) begin
            answer <= answer >> 8;
        end
    end
endmodule
