import { api } from 'lwc';
import TurnoutAction from 'c/turnoutAction';
import publish from '@salesforce/apex/TurnoutActions.publish';

/** The button Publish. */
export default class TurnoutPublish extends TurnoutAction {
    @api recordId;

    @api async invoke() {
        await this.run(publish, 'Published', 'Turnout shows it in a moment.');
    }
}
