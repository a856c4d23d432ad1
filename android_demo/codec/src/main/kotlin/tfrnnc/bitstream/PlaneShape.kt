package tfrnnc.bitstream

/**
 * The grid of a plane.
 *
 * @property height locations from top to bottom.
 * @property width locations from left to right.
 * @property bits at each location.
 */
data class PlaneShape(val height: Int, val width: Int, val bits: Int) {
    /** How many bits a plane has. */
    val size: Int
        get() = Math.multiplyExact(Math.multiplyExact(height, width), bits)

    /** How many locations a plane has. */
    val locations: Int
        get() = height * width
}
