package tfrnnc.bitstream

/** Identity of a model as streams carry it: the first bytes of a SHA-256. */
class ModelId(bytes: ByteArray) {
    private val bytes = bytes.copyOf()

    init {
        require(bytes.size == BYTES) { "a model's identity has $BYTES bytes, not ${bytes.size}" }
    }

    fun toBytes(): ByteArray = bytes.copyOf()

    /** Eight hexadecimal digits. */
    override fun toString() = bytes.joinToString("") { "%02x".format(it) }

    override fun equals(other: Any?) = other is ModelId && other.bytes.contentEquals(bytes)

    override fun hashCode() = bytes.contentHashCode()

    companion object {
        const val BYTES = Format.MODEL_ID_BYTES

        /** Reads eight hexadecimal digits; null if they are not that. */
        fun parse(text: String): ModelId? =
            if (Regex("[0-9a-fA-F]{${2 * BYTES}}").matches(text)) {
                ModelId(ByteArray(BYTES) { text.substring(2 * it, 2 * it + 2).toInt(16).toByte() })
            } else {
                null
            }
    }
}
