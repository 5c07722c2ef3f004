// An image of height x width x channels, and a window of kh x kw that slides over it.
struct window {
  int height, width, channels, out_height, out_width, out_channels;
  int kh, kw, stride_y, stride_x, dilation_y, dilation_x, pad_y, pad_x;
};
