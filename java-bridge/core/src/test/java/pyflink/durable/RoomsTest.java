package pyflink.durable;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;

/**
 * The arrows between the packages go one way: operator, engine, state, log, journal. Values, of the
 * operator alone, know none of them.
 */
class RoomsTest {

    private static final JavaClasses MAIN =
            new ClassFileImporter()
                    .withImportOption(new ImportOption.DoNotIncludeTests())
                    .importPackages("pyflink.durable");

    @Test
    void eachRoomKnowsOnlyThoseBelowIt() {
        layeredArchitecture()
                .consideringOnlyDependenciesInAnyPackage("pyflink.durable..")
                .ensureAllClassesAreContainedInArchitecture()
                .layer("operator")
                .definedBy("pyflink.durable.operator")
                .layer("engine")
                .definedBy("pyflink.durable.engine")
                .layer("state")
                .definedBy("pyflink.durable.state")
                .layer("log implementations")
                .definedBy("pyflink.durable.log.*")
                .layer("log")
                .definedBy("pyflink.durable.log")
                .layer("journal")
                .definedBy("pyflink.durable.journal")
                .layer("value")
                .definedBy("pyflink.durable.value")
                .whereLayer("operator")
                .mayNotBeAccessedByAnyLayer()
                .whereLayer("engine")
                .mayOnlyBeAccessedByLayers("operator")
                .whereLayer("state")
                .mayOnlyBeAccessedByLayers("operator", "engine")
                .whereLayer("log implementations")
                .mayNotBeAccessedByAnyLayer()
                .whereLayer("log")
                .mayOnlyBeAccessedByLayers("operator", "engine", "state", "log implementations")
                .whereLayer("journal")
                .mayOnlyBeAccessedByLayers("operator", "engine", "state", "log")
                .whereLayer("value")
                .mayOnlyBeAccessedByLayers("operator")
                .check(MAIN);
    }

    @Test
    void thereAreNoCycles() {
        slices().matching("pyflink.durable.(**)").should().beFreeOfCycles().check(MAIN);
    }

    @Test
    void onlyTheOperatorKnowsPython() {
        noClasses()
                .that()
                .resideOutsideOfPackages("pyflink.durable.operator", "pyflink.durable.value")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("pemja..", "..python..")
                .check(MAIN);
    }
}
