import { api } from 'lwc';
import TurnoutAction from 'c/turnoutAction';
import unpublish from '@salesforce/apex/TurnoutActions.unpublish';

/** The button Unpublish. */
export default class TurnoutUnpublish extends TurnoutAction {
    @api recordId;

    @api async invoke() {
        await this.run(unpublish, 'Unpublished', 'Visitors no longer see it. Its registrations stay.');
    }
}
