// Command oracle answers when the CronJob controller would fire: it asks the parser that the controller uses.
//
// It reads one JSON object a line, {"expression", "zone", "from", "count"}, and answers each with a line,
// {"times": [...]} in UTC or {"error": "..."}.
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"os"
	"time"

	"github.com/robfig/cron/v3"
)

type question struct {
	Expression string
	Zone       string
	From       time.Time
	Count      int
}

type answer struct {
	Times []string `json:"times"`
	Error string   `json:"error,omitempty"`
}

func main() {
	output := bufio.NewWriter(os.Stdout)
	answers := json.NewEncoder(output)
	questions := json.NewDecoder(bufio.NewReader(os.Stdin))
	for questions.More() {
		var asked question
		if err := questions.Decode(&asked); err != nil {
			log.Fatal(err)
		}
		if err := answers.Encode(answerTo(asked)); err != nil {
			log.Fatal(err)
		}
	}
	if err := output.Flush(); err != nil {
		log.Fatal(err)
	}
}

// answerTo hands the zone over as the controller does: pkg/controller/cronjob/cronjob_controllerv2.go, formatSchedule.
func answerTo(asked question) answer {
	schedule, err := cron.ParseStandard("TZ=" + asked.Zone + " " + asked.Expression)
	if err != nil {
		return answer{Error: err.Error()}
	}
	times := []string{}
	for at := asked.From; len(times) < asked.Count; {
		at = schedule.Next(at)
		if at.IsZero() {
			break
		}
		times = append(times, at.UTC().Format(time.RFC3339))
	}
	return answer{Times: times}
}
