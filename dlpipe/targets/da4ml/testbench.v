// Compares the circuit with what its compiler's interpreter computed. Run it in this folder; it ends with PASSED or an
// error:  iverilog -g2012 -o testbench.vvp -y ../rtl -y ../rtl/static testbench.v && vvp -n testbench.vvp
`timescale 1 ns / 1 ps

module testbench;
    reg clk = 0;
    reg [`IN_BITS-1:0] inputs [0:`VECTORS-1];
    reg [`OUT_BITS-1:0] expected [0:`VECTORS-1];
    reg [`IN_BITS-1:0] model_inp;
    wire [`OUT_BITS-1:0] model_out;
    integer edges;
    integer wrong = 0;

    network_wrapper network (.clk(clk), .model_inp(model_inp), .model_out(model_out));

    initial begin
        $readmemh("inputs.hex", inputs);
        $readmemh("expected.hex", expected);
        // a vector goes in on every edge, and its answer is there after LATENCY further ones
        for (edges = 0; edges < `VECTORS + `LATENCY; edges = edges + 1) begin
            if (edges < `VECTORS) model_inp = inputs[edges];
            #5 clk = 1;
            #1;
            if (edges >= `LATENCY && model_out !== expected[edges - `LATENCY]) begin
                wrong = wrong + 1;
                $display("vector %0d: %h, expected %h", edges - `LATENCY, model_out, expected[edges - `LATENCY]);
            end
            #4 clk = 0;
        end
        if (wrong != 0) begin
            $display("FAILED: %0d of %0d vectors", wrong, `VECTORS);
            $fatal(1);
        end
        $display("PASSED: %0d vectors, latency %0d edges", `VECTORS, `LATENCY);
        $finish;
    end
endmodule
