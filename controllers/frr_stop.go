package controllers

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/herald-lb/herald/controllers/drain"
	"github.com/herald-lb/herald/reloader/exchange"
)

// applying is what FRR and the agent get for the two changes of a drain.
const applying = 10 * time.Second

// FRRStop is the agent's side of FRR's preStop hook: the hook says that the pod ends,
// and waits until the agent says that the node has given its routes up.
type FRRStop struct {
	// Dir is the exchange directory.
	Dir string

	told string
}

// forgotten is longer than the hook can take: a pod that hasn't ended by then isn't
// ending, whatever has become of its hook or of the next pod's start.
const forgotten = 10 * time.Minute

// Ends says whether FRR's pod ends.
func (f *FRRStop) Ends() bool {
	if f == nil {
		return false
	}
	said, err := os.Stat(filepath.Join(f.Dir, exchange.EndingFile))
	return err == nil && time.Since(said.ModTime()) < forgotten
}

// Answer tells the hook whether FRR may end, and returns in how long to look again; 0:
// not before something happens. A hook that is told nothing gives up by itself.
func (f *FRRStop) Answer(ctx context.Context, ends bool, keeper *drain.Keeper) time.Duration {
	if f == nil {
		return 0
	}
	if !ends {
		f.told = "" // FRR's start script has removed the answer
		return 0
	}
	now, in, limit := keeper.MayEnd()
	answer := fmt.Sprintf("%s %.0f", exchange.StopWait, math.Ceil((limit + applying).Seconds()))
	if now {
		answer = exchange.StopNow
	}
	if answer == f.told {
		return in
	}
	if err := exchange.WriteFile(f.Dir, exchange.StopFile, []byte(answer+"\n")); err != nil {
		log.FromContext(ctx).Error(err, "FRR's pod ends, and can't be told when: it gives the agent no more time")
		return retryMax
	}
	log.FromContext(ctx).Info("FRR's pod ends", "told", answer)
	f.told = answer
	return in
}
