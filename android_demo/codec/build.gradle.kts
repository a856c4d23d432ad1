import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    alias(libs.plugins.kotlin.jvm)
    alias(libs.plugins.kotlin.serialization)
}

dependencies {
    implementation(libs.serialization.json)
    testImplementation(libs.kotlin.test)
    testImplementation(libs.junit)
    testRuntimeOnly(libs.junit.launcher)
    testImplementation(libs.tflite.jvm)
    // TensorFlow Lite's library for the machine that tests.
    val os = System.getProperty("os.name").lowercase()
    val arm = System.getProperty("os.arch") == "aarch64"
    val platform = "${if ("mac" in os) "macosx" else "linux"}-${if (arm) "arm64" else "x86_64"}"
    testRuntimeOnly(variantOf(libs.tflite.jvm) { classifier(platform) })
    testRuntimeOnly(variantOf(libs.tflite.javacpp) { classifier(platform) })
}

java {
    sourceCompatibility = JavaVersion.toVersion(libs.versions.jvm.get())
    targetCompatibility = JavaVersion.toVersion(libs.versions.jvm.get())
}

kotlin {
    compilerOptions {
        jvmTarget = JvmTarget.fromTarget(libs.versions.jvm.get())
        freeCompilerArgs.add("-Xjdk-release=${libs.versions.jvm.get()}")
        allWarningsAsErrors = true
    }
}

tasks.test {
    useJUnitPlatform()
    // The golden vectors are read where they lie.
    val repository = rootProject.projectDir.parentFile
    systemProperty("tfrnnc.repository", repository.path)
    systemProperty("tfrnnc.python", providers.gradleProperty("tfrnnc.python").getOrElse(""))
    inputs.dir(repository.resolve("export"))
    inputs.dir(repository.resolve("tests/golden"))
    inputs.file(repository.resolve("tfrnnc/presets/preview/decoder.bin"))
}
