/** The exported model that the page carries; any of one size serves, the larger the faster. */
export const MODEL = "../export/conv_lstm_medium/small_256x256";
