/* /deployments: lines that install agents. What is stored of one is its enrolment token. */
#include <openssl/crypto.h>
#include <string.h>

#include "manager/api/deployment_line.h"
#include "manager/api/enrolment_tokens.h"
#include "manager/api/handlers.h"
#include "manager/api/rows.h"
#include "manager/api/shapes.h"
#include "manager/front/package.h"

#define SCRIPT_MAX_BYTES 4096
#define NIGHT_HOURS      6

struct deployment {
	const char *url, *platform;
	enum deployment_form form;
	struct package package;
};

static const char *text_or(const json_t *body, const char *name, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(body, name));

	return text != NULL ? text : otherwise;
}

/* False: it was answered. What cannot work is refused here, and not on the new computer. */
static bool read_request(struct api_call *call, struct deployment *deployment)
{
	const json_t *body = api_body(call);
	struct front *front = api_call_front(call);
	struct err err = { 0 };

	deployment->url = text_or(body, "url", front_identity(front)->url);
	deployment->platform = text_or(body, "platform", PACKAGE_PLATFORM_DEFAULT);
	if (strcmp(deployment->platform, "linux") == 0)
		deployment->platform = PACKAGE_PLATFORM_DEFAULT;
	deployment->form = (enum deployment_form)shape_choice(shape_deployment_forms,
							      text_or(body, "form", shape_deployment_forms[0]));
	if (!deployment_is_url(deployment->url)) {
		api_problem_add(call, "url", "https://HOST:PORT is expected, without a path");
		api_problem(call, 400, "Not valid", "'%.200s' is no address for new computers.", deployment->url);
		return false;
	}
	if (package_find(front_data_directory(front), deployment->platform, &deployment->package, NULL, &err) == 0)
		return true;
	api_problem_add(call, "platform", "%s", err.text);
	api_problem(call, 409, "No package", "%s", err.text);
	return false;
}

static int add_script(struct api_call *call, const struct deployment *deployment, const char *token, json_t *json)
{
	const struct env *env = api_call_env(call);
	char fingerprint[SHA256_TEXT_BYTES];
	const struct deployment_line line = {
		.url = deployment->url,
		.fingerprint = fingerprint,
		.token = token,
		.form = deployment->form,
		.minute = (unsigned)env_below(env, 60),
		.hour = (unsigned)env_below(env, NIGHT_HOURS),
	};
	struct buf script;
	int rc;

	hex_format(front_identity(api_call_front(call))->ca_fingerprint, SHA256_BYTES, fingerprint);
	buf_init(&script, SCRIPT_MAX_BYTES);
	deployment_line(&line, &script);
	rc = script.status;
	json_object_set_new(json, "platform", json_string(deployment->platform));
	json_object_set_new(json, "agent_version", json_string(deployment->package.version));
	json_object_set_new(json, "form", json_string(shape_deployment_forms[deployment->form]));
	json_object_set_new(json, "script", json_string(buf_text(&script)));
	buf_wipe(&script);
	return rc;
}

int deployment_create(struct api_call *call, struct err *err)
{
	struct new_enrolment_token token = { .uses_default = 1 };
	struct deployment deployment = { 0 };
	json_t *json = NULL;
	bool answered = !read_request(call, &deployment);
	int rc = 0;

	if (!answered)
		rc = enrolment_token_make(call, "deployment.create", &token, &answered, err);
	if (rc == 0 && !answered)
		rc = enrolment_token_made(call, &token, &json, err);
	if (rc == 0 && !answered)
		rc = add_script(call, &deployment, token.secret, json);
	OPENSSL_cleanse(token.secret, sizeof(token.secret));
	if (rc != 0) {
		json_decref(json);
		return rc;
	}
	return answered ? 0 : api_reply_json(call, 201, json);
}
