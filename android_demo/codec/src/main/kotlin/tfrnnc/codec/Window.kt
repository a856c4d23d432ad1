package tfrnnc.codec

/**
 * A stretch of an axis, in pixels.
 *
 * @property start where what is computed begins; below 0 if the window sticks out of the image.
 * @property stop where it ends; above the length of the axis if the window sticks out there.
 * @property first where what is kept of it begins.
 * @property last where that ends; the kept stretches of all windows make up the axis.
 */
internal data class Window(val start: Int, val stop: Int, val first: Int, val last: Int) {
    companion object {
        /**
         * Windows that give the same as the whole axis at once.
         *
         * Beside a cut through the image results are wrong as far as the margin, and so they are
         * beside the end of an image that is shorter than its window: a model pads each of its
         * layers with zeros there, which zeros at its input do not make up for. So a short axis is
         * computed twice, once with its start at that of a window and once with its end at that of
         * another, and half of each is kept.
         *
         * @param length of the axis, a multiple of the stride.
         * @param window length of each window, a multiple of the stride; longer than two margins if
         *   the axis is longer than it.
         * @param margin how far beside a cut results are wrong, a multiple of the stride.
         * @param stride stretches that are kept begin and end at multiples of it.
         */
        fun cut(length: Int, window: Int, margin: Int, stride: Int): List<Window> {
            if (length == window || (length < window && margin == 0)) {
                return listOf(Window(0, window, 0, length))
            }
            if (length < window) {
                val middle =
                    if (length >= 2 * margin) length - margin
                    else length - length / 2 / stride * stride
                return listOf(
                        Window(0, window, 0, middle),
                        Window(length - window, length, middle, length),
                    )
                    .filter { it.first < it.last }
            }
            require(window > 2 * margin) { "a window of $window keeps nothing" }
            val windows = mutableListOf<Window>()
            var first = 0
            while (first < length) {
                val start = minOf(first - margin, length - window).coerceAtLeast(0)
                val stop = start + window
                val last = if (stop == length) length else stop - margin
                windows += Window(start, stop, first, last)
                first = last
            }
            return windows
        }

        /** Whether [cut] keeps its promise: a short axis has to be two margins long. */
        fun isExact(length: Int, window: Int, margin: Int): Boolean =
            length >= window || length >= 2 * margin
    }
}
