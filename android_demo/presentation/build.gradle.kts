import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins { alias(libs.plugins.kotlin.jvm) }

dependencies {
    api(project(":codec"))
    api(libs.coroutines.core)
    testImplementation(libs.kotlin.test)
    testImplementation(libs.junit)
    testRuntimeOnly(libs.junit.launcher)
    testImplementation(libs.coroutines.test)
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
    // runTest waits for a minute, which is not much on a busy machine.
    systemProperty("kotlinx.coroutines.test.default_timeout", "10m")
}
