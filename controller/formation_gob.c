#include "controller/formation_gob.h"

#include "libflynn/attr.h"

enum {
	ID_FORMATION = FORMATION_GOB_FIRST_ID,
	ID_APP,
	ID_STRINGS_BY_NAME,
	ID_TIME,
	ID_RELEASE,
	ID_TYPES_BY_NAME,
	ID_PROCESS_TYPE,
	ID_STRINGS,
	ID_PORTS,
	ID_PORT,
	ID_ARTIFACT,
	ID_COUNTS,
};

#define FIELDS(f) .fields = (f), .n_fields = fl_nitems(f)

static const struct gob_type time_type = { .kind = GOB_TIME, .id = ID_TIME, .name = "Time" };
static const struct gob_type strings = { .kind = GOB_SLICE, .id = ID_STRINGS, .name = "[]string", .elem = &gob_string };
static const struct gob_type strings_by_name = { .kind = GOB_MAP, .id = ID_STRINGS_BY_NAME, .name = "map[string]string", .elem = &gob_string };
static const struct gob_type counts = { .kind = GOB_MAP, .id = ID_COUNTS, .name = "map[string]int", .elem = &gob_int };

static const struct gob_field port_fields[] = {
	{ "Port", "port", &gob_int },
	{ "Proto", "proto", &gob_string },
	{ "RangeEnd", "range_end", &gob_int },
};
static const struct gob_type port = { .kind = GOB_STRUCT, .id = ID_PORT, .name = "Port", FIELDS(port_fields) };
static const struct gob_type ports = { .kind = GOB_SLICE, .id = ID_PORTS, .name = "[]types.Port", .elem = &port };

static const struct gob_field process_type_fields[] = {
	{ "Cmd", "cmd", &strings },
	{ "Entrypoint", "entrypoint", &strings },
	{ "Env", "env", &strings_by_name },
	{ "Ports", "ports", &ports },
	{ "Data", "data", &gob_bool },
	{ "Omni", "omni", &gob_bool },
};
static const struct gob_type process_type = { .kind = GOB_STRUCT, .id = ID_PROCESS_TYPE, .name = "ProcessType", FIELDS(process_type_fields) };
static const struct gob_type types_by_name = { .kind = GOB_MAP, .id = ID_TYPES_BY_NAME, .name = "map[string]types.ProcessType", .elem = &process_type };

static const struct gob_field app_fields[] = {
	{ "ID", "id", &gob_string },
	{ "Name", "name", &gob_string },
	{ "Protected", "protected", &gob_bool },
	{ "Meta", "meta", &strings_by_name },
	{ "CreatedAt", "created_at", &time_type },
	{ "UpdatedAt", "updated_at", &time_type },
};
static const struct gob_type app = { .kind = GOB_STRUCT, .id = ID_APP, .name = "App", FIELDS(app_fields) };

static const struct gob_field release_fields[] = {
	{ "ID", "id", &gob_string },
	{ "ArtifactID", "artifact", &gob_string },
	{ "Env", "env", &strings_by_name },
	{ "Processes", "processes", &types_by_name },
	{ "CreatedAt", "created_at", &time_type },
};
static const struct gob_type release = { .kind = GOB_STRUCT, .id = ID_RELEASE, .name = "Release", FIELDS(release_fields) };

static const struct gob_field artifact_fields[] = {
	{ "ID", "id", &gob_string },
	{ "Type", "type", &gob_string },
	{ "URI", "uri", &gob_string },
	{ "CreatedAt", "created_at", &time_type },
};
static const struct gob_type artifact = { .kind = GOB_STRUCT, .id = ID_ARTIFACT, .name = "Artifact", FIELDS(artifact_fields) };

static const struct gob_field formation_fields[] = {
	{ "App", "app", &app },
	{ "Release", "release", &release },
	{ "Artifact", "artifact", &artifact },
	{ "Processes", "processes", &counts },
	{ "UpdatedAt", "updated_at", &time_type },
};
const struct gob_type formation_gob = { .kind = GOB_STRUCT, .id = ID_FORMATION, .name = "ExpandedFormation", FIELDS(formation_fields) };
