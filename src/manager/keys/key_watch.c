/* The watch over the keys' files (manager/keys/key_watch.h). */
#include "manager/keys/key_watch.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

/* --- keys that are in memory --- */

static void log_change(const struct key_place *place, const char *before)
{
	if (strcmp(place->why, before) == 0)
		return;
	if (place->why[0] == '\0')
		LOG(LOG_INFO, "keys.file_back", log_text("file", place->name));
	else
		LOG(LOG_ERROR, "keys.file_lost", log_text("file", place->name), log_text("error", place->why),
		    log_text("advice", "the key is in memory alone: muster cert backup FILE now, then muster cert "
				       "rewrite"));
}

/* Once; if there is no answer by the next look, it is what cannot be read. */
static bool ask_supervisor(struct key_watch *watch, size_t number)
{
	struct key_place *place = watch->places[number];
	uint8_t which = (uint8_t)number;

	if (place->asked)
		return false;
	place->asked = true;
	return channel_send(watch->supervisor, MESSAGE_OPEN_KEY, 0, &which, sizeof(which), -1, NULL) == 0;
}

static void look_at_held(struct key_watch *watch, size_t number)
{
	struct key_place *place = watch->places[number];
	char before[ERR_TEXT_BYTES];
	struct err err = { 0 };

	snprintf(before, sizeof(before), "%s", place->why);
	if (key_place_judge(place, &err) == ERR_DENIED && !ask_supervisor(watch, number))
		key_place_give_up(place, err.text);
	log_change(place, before);
}

void key_watch_opened(struct key_watch *watch, const struct channel_message *message)
{
	struct key_place *place =
	    message->size == 1 && message->payload[0] < KEPT_KEYS ? watch->places[message->payload[0]] : NULL;
	char before[ERR_TEXT_BYTES];

	if (place == NULL || !place->held) {
		close(message->fd);
		return;
	}
	snprintf(before, sizeof(before), "%s", place->why);
	key_place_judge_opened(place, message->fd);
	log_change(place, before);
}

void key_watch_look_now(struct key_watch *watch)
{
	for (size_t i = 0; i < KEPT_KEYS; i++) {
		struct key_place *place = watch->places[i];
		char before[ERR_TEXT_BYTES];

		if (!place->held)
			continue;
		snprintf(before, sizeof(before), "%s", place->why);
		(void)key_place_judge(place, NULL); /* what this role may not read is as the last look found it */
		log_change(place, before);
	}
}

/* --- keys that are missing --- */

static bool any_in_memory_alone(const struct key_watch *watch)
{
	for (size_t i = 0; i < KEPT_KEYS; i++) {
		if (watch->places[i]->held && watch->places[i]->why[0] != '\0')
			return true;
	}
	return false;
}

/* Somebody has put something there, and is done with it. */
static bool take_up(struct key_watch *watch, size_t number)
{
	struct key_place *place = watch->places[number];

	if (any_in_memory_alone(watch)) {
		if (!place->asked)
			LOG(LOG_WARNING, "keys.not_taken_up", log_text("file", place->name),
			    log_text("cause",
				     "the file of the other key is lost, which would be lost from memory too"));
		place->asked = true;
		return false;
	}
	LOG(LOG_INFO, "keys.starts_anew", log_text("cause", "the file of a key that is missing has changed"));
	return true;
}

static ino_t folder_of(const struct key_place *place)
{
	char folder[LAYOUT_PATH_BYTES];
	const char *slash = strrchr(place->path, '/');
	struct stat facts;

	snprintf(folder, sizeof(folder), "%.*s", slash != NULL ? (int)(slash - place->path) : 0, place->path);
	return lstat(folder, &facts) == 0 ? facts.st_ino : 0;
}

void key_watch_begin(struct key_watch *watch, const char *data_directory)
{
	for (size_t i = 0; i < KEPT_KEYS; i++)
		key_place_reach(watch->places[i], data_directory);
	watch->folder = folder_of(watch->places[0]);
}

/* A folder that was put back with all that belongs into it. */
static bool is_another_folder(struct key_watch *watch)
{
	if (any_in_memory_alone(watch) || folder_of(watch->places[0]) == watch->folder)
		return false;
	for (size_t i = 0; i < KEPT_KEYS; i++) {
		if (!watch->places[i]->held || !key_place_is_settled(watch->places[i]))
			return false;
	}
	LOG(LOG_INFO, "keys.starts_anew", log_text("cause", "the folder of the keys is another one"));
	return true;
}

bool key_watch_look(struct key_watch *watch, time_us now)
{
	bool anew = false;

	if (now < watch->look_at)
		return false;
	watch->look_at = now + KEY_WATCH_LOOK_MS * MILLISECOND_US;
	for (size_t i = 0; i < KEPT_KEYS; i++) {
		if (!key_place_is_news(watch->places[i]))
			continue;
		if (watch->places[i]->held)
			look_at_held(watch, i);
		else
			anew |= take_up(watch, i);
	}
	return anew || is_another_folder(watch);
}

void key_watch_state(const struct key_watch *watch, struct message_key_files *ret_files)
{
	*ret_files = (struct message_key_files){ 0 };
	for (size_t i = 0; i < KEPT_KEYS; i++) {
		const struct key_place *place = watch->places[i];

		ret_files->items[i].held = place->held;
		snprintf(ret_files->items[i].why, sizeof(ret_files->items[i].why), "%s", place->held ? place->why : "");
	}
}
